(memory 2) ;;@memory-import
