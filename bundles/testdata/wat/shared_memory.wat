(import "env" "memory" (memory 2 2 shared)) ;;@memory-import
