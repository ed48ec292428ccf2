"""The MySQL set with reader addresses and HAProxy in front of the replicas; `workload` measures what its readers get."""
