(global (export "opa_wasm_abi_minor_version") i32 (i32.const 1))
