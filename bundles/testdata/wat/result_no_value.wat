(data (i32.const 1280) "allow\00") ;;@result
