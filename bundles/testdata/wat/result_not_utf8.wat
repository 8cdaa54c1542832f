(data (i32.const 1280) "{{\"result\": \"\ff\"}}\00") ;;@result
