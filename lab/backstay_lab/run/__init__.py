"""One fault at a time, under load, on a lab, and what it cost.

lab           `backstay lab`: bring one up, look at it, break it, take it away
rehearsal     one run of one fault, from a whole system to a whole system, gives one Outcome
cli           `backstay rehearse`: rehearsals again and again, and their distribution
demo          `backstay demo`: two or three of them, told as a story
baseline      the floor of a power-off: an address alone, when its node loses power
floor         the floor of a failover: agents that do nothing, configured as those of MySQL are
false_alarms  what the watchers tell of while nothing fails
timing        fencings and moves for a node that was merely disturbed
secret_leaks  where passwords come to light in a node's processes and files
"""
