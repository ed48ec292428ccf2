"""Clients: programs that use a system as an application does, and note each attempt with its time as a line of JSON.

They run on the lab's client host, mostly, started by module name (`python3 -m backstay_lab.clients.ledger URL …`):

ledger, transactions, sampler, query    SQL: unique rows; registers, lists and transactions; who is writable; one statement
publisher, consumer, queues             AMQP, by pika; session is their connection
rpcclient, rpcserver                    remote procedure calls on oslo.messaging; rpc sets it up
dbclient                                transactions on oslo.db
bootapi, bootworkers                    nova's boot flow through database and broker; bootdb is its database
reads, connections, lineserver, echo    through a balancer; a server behind one; an address alone
address_sampler                         in a node: which addresses it has

`program` is what they have in common. On this host `workload` starts some of them as one load and reads the histories while
they grow; `application` does so for the clients of an application beside it.
"""
