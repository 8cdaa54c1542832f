(import "env" "opa_abort" (global i32))
