(data (i32.const 1280) "set()\00") ;;@result
