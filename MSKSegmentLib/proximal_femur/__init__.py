"""Proximal femur in quantitative CT: the cut, its regions, calibrated bone mineral density, meshes, virtual femora."""
