(global $v (export "opa_wasm_abi_version") (mut i32) (i32.const 1))
(func $s (global.set $v (i32.const 2)))
(start $s)
