//===- Precompiled.cpp - carrier of the precompiled header ----------------===//
