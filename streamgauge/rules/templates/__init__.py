"""Go's text templates, as far as the labels and annotations of alerts use them."""
