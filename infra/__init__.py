"""The servers that runs can use, as real processes of one machine; no part of the product needs them."""
