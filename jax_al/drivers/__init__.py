"""How work is computed: the programs, the loop, the runs."""
