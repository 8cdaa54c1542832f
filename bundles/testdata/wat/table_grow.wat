(table $t 1 funcref)
(func (export "eval") (param i32) (result i32) (loop $l (drop (table.grow $t (ref.null func) (i32.const 1000))) br $l) unreachable)
