"""The contract with Pacemaker: exit codes, parameters, what was asked, meta-data. Imports nothing else of Backstay."""
