;; Every second byte of 16 MiB is 1: taking the snapshot would keep a note of each.
(func $s (local $end i32) (drop (memory.grow (i32.const 272)))
 (i32.store16 (i32.const 131072) (i32.const 1)) (local.set $end (i32.const 2))
 (loop $l
  (memory.copy (i32.add (i32.const 131072) (local.get $end)) (i32.const 131072) (local.get $end))
  (local.set $end (i32.shl (local.get $end) (i32.const 1)))
  (br_if $l (i32.lt_u (local.get $end) (i32.const 16777216)))))
(start $s)
