(func $s unreachable)
(start $s)
