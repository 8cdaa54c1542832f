(import "env" "opa_abort" (func $abort (param i32)))
(data (i32.const 2048) "p.rego:3:1: var assignment conflict\00")
(func (export "eval") (param i32) (result i32) (call $abort (i32.const 2048)) i32.const 0)
