// SPDX-License-Identifier: MIT
// The widths of masks that exist, in words: applies the macro LINEAR_REGIONS_CONES to each.
// Included repeatedly, so there is no guard.
LINEAR_REGIONS_CONES(1)
LINEAR_REGIONS_CONES(16)
#undef LINEAR_REGIONS_CONES
