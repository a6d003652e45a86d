"""Films analysed in parts, anywhere and in any order, with the results of one run: `film`, `analysing`, `joining`.

Many of them make an archive, on the cores of one machine or of a cluster: `tasks` is what a worker does, `driver` which
of it comes next, `ledger` what is done already, and `cluster` alone knows Ray.
"""
