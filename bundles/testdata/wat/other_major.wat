(global (export "opa_wasm_abi_version") i32 (i32.const 2))
