;; The host calls the guest to read an argument, the guest calls the host.
(import "env" "opa_builtin1" (func $call (param i32 i32 i32) (result i32)))
(data (i32.const 1024) "{\"units.parse\": 7}\00") ;;@builtins-table
(global $deep (mut i32) (i32.const 0))
(func (export "eval") (param i32) (result i32) (global.set $deep (i32.const 1)) (call $call (i32.const 7) (i32.const 0) (i32.const 1280)))
(func (export "opa_value_dump") (param i32) (result i32) (if (global.get $deep) (then (drop (call $call (i32.const 7) (i32.const 0) (i32.const 1280))))) (local.get 0))
