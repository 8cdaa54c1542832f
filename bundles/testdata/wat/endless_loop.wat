(func (export "eval") (param i32) (result i32) (loop $l br $l) unreachable)
