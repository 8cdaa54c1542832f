(func (export "opa_value_dump") (param i32) (result i32) (loop $l br $l) unreachable)
