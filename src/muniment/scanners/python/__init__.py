"""Analysis of Python source by abstract interpretation: no analysed code is imported or executed."""
