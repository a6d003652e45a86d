"""Films analysed in parts, anywhere and in any order, with the results of one run: `film`, `analysing`, `joining`."""
