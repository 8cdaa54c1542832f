(table $t 2 funcref)
(func $f)
(elem (i32.const 2) func $f)
