"""Banks (银行): one package for each flavour; flavours never meet, what two of them share stands beside them."""
