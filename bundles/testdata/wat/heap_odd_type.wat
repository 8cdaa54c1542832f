;; Exports that only save time need not be there, whatever their names are.
(func (export "opa_heap_ptr_get") (result i64) i64.const 0)
