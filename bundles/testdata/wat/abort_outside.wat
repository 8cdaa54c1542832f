(import "env" "opa_abort" (func $abort (param i32)))
(func (export "eval") (param i32) (result i32) (call $abort (i32.const -8)) i32.const 0)
