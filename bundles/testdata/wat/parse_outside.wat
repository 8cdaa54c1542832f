;; What the guest calls a value is its own matter: the host only hands it back.
(func (export "opa_value_parse") (param i32 i32) (result i32) i32.const -16)
