(global $g (mut funcref) (ref.null func))
