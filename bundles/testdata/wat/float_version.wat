(global (export "opa_wasm_abi_version") f32 (f32.const 1))
