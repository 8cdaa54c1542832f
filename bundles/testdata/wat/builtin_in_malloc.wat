;; The host asks for room for a value, the guest calls the host.
(import "env" "opa_builtin1" (func $call (param i32 i32 i32) (result i32)))
(data (i32.const 1024) "{\"units.parse\": 7}\00") ;;@builtins-table
(data (i32.const 2048) "\"1\"\00")
(global $deep (mut i32) (i32.const 0))
(func (export "eval") (param i32) (result i32) (global.set $deep (i32.const 1)) (call $call (i32.const 7) (i32.const 0) (i32.const 2048)))
(func (export "opa_malloc") (param i32) (result i32) (if (global.get $deep) (then (drop (call $call (i32.const 7) (i32.const 0) (i32.const 2048))))) global.get $heap (global.set $heap (i32.add (global.get $heap) (local.get 0))))
