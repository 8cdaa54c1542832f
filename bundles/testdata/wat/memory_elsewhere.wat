(import "env" "other" (memory 2)) ;;@memory-import
