//===- DsOps.td - the ds dialect, all of it -------------------*- tablegen -*-===//
#ifndef DIALECTS_DS_IR_DSOPS
#define DIALECTS_DS_IR_DSOPS
include "dialects/ds/IR/DsBase.td"
include "dialects/ds/IR/DsTensorOps.td"
include "dialects/ds/IR/DsModelOps.td"
include "dialects/ds/IR/DsExpertOps.td"
include "dialects/ds/IR/DsLatentOps.td"
include "dialects/ds/IR/DsPackedOps.td"
include "dialects/ds/IR/DsQuantizedOps.td"
#endif // DIALECTS_DS_IR_DSOPS
