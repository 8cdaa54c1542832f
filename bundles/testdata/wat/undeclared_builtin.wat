(import "env" "opa_builtin0" (func $call (param i32 i32) (result i32)))
(func (export "eval") (param i32) (result i32) (call $call (i32.const 7) (i32.const 0)))
