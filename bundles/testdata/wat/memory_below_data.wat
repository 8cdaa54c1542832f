(import "env" "memory" (memory 0)) ;;@memory-import
