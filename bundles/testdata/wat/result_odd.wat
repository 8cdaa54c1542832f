(data (i32.const 1280) "{{\"result\": true}}\00") ;;@result
