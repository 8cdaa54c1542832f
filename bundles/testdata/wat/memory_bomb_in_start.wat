(func $s (drop (memory.grow (i32.const 30000))))
(start $s)
