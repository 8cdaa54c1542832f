(import "env" "opa_builtin0" (func $call (param i32 i32) (result i32)))
(func $s (drop (call $call (i32.const 0) (i32.const 0))))
(start $s)
