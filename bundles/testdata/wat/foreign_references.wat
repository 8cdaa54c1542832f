(table 1 externref)
