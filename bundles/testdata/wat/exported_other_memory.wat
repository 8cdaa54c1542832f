(export "memory" (func 0))
