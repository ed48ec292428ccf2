"""What `backstay status` tells of clients that came while an address moved."""

from backstay.cluster.model import Cluster, Resource
from backstay.services.mysql.admin import Admin as MysqlAdmin
from backstay.services.vip.admin import Admin as VipAdmin

RECORD = "epoch=3 primary=n2 gtid=0-2-812 sync=n1,n3 solo=no"
TOLD = "clients when the address last left n1: 7 held, 6 sent on, 1 refused"


def seen(resource, **more):
    return Cluster(nodes=(), instances=(), resources=(resource,), **more)


def test_of_an_address_that_holds_clients():
    resource = Resource("ip", "ocf:backstay:vip", (), parameters={"on_loss": "hold"})
    assert VipAdmin(resource).private() == ["ip-held"]
    held = {"ip-held": {"n1": "7 held, 6 sent on, 1 refused"}}
    assert VipAdmin(resource).summary(seen(resource, private=held)) == TOLD
    assert VipAdmin(resource).summary(seen(resource)) == ""
    assert VipAdmin(Resource("ip", "ocf:backstay:vip", ())).private() == []


def test_of_the_server_behind_it():
    resource = Resource("db", "ocf:backstay:mysql", ())
    held = {"db-held": {"n1": "7 held, 6 sent on, 1 refused"}}
    said = MysqlAdmin(resource).summary(seen(resource, private=held, facts={"db": RECORD}))
    assert said == f"epoch 3, primary n2, acknowledging: n1, n3; {TOLD}"
