;; A start function may make itself room.
(func $s (drop (memory.grow (i32.const 64))) (i32.store (i32.const 4194304) (i32.const 1)))
(start $s)
