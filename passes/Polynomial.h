//===- Polynomial.h - sizes and indices as integer polynomials -*- C++ -*-===//
//
// Sizes of tensors and indices into them, as polynomials with integer
// coefficients over symbols. Equal polynomials are equal numbers; that is all
// the algebra raising needs, and unlike affine expressions they hold the
// product of two sizes (a flattened [batch, keys] index is b·T + t).
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_POLYNOMIAL_H
#define PASSES_POLYNOMIAL_H

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace mlir::ds {

/// A polynomial; symbols are numbers that the owner gives out.
class Polynomial {
public:
  /// Sorted symbols, one entry per power: x²y is {x, x, y}; {} is the constant.
  using Monomial = std::vector<unsigned>;

  Polynomial() = default;
  /*implicit*/ Polynomial(int64_t constant) {
    if (constant != 0)
      terms[{}] = constant;
  }
  static Polynomial symbol(unsigned id) {
    Polynomial result;
    result.terms[{id}] = 1;
    return result;
  }

  std::optional<int64_t> getConstant() const {
    if (terms.empty())
      return 0;
    if (terms.size() == 1 && terms.begin()->first.empty())
      return terms.begin()->second;
    return std::nullopt;
  }
  /// The symbol, if the polynomial is exactly one symbol.
  std::optional<unsigned> getSymbol() const {
    if (terms.size() == 1 && terms.begin()->second == 1 &&
        terms.begin()->first.size() == 1)
      return terms.begin()->first[0];
    return std::nullopt;
  }

  const std::map<Monomial, int64_t> &getTerms() const { return terms; }

  friend Polynomial operator+(const Polynomial &a, const Polynomial &b) {
    Polynomial result = a;
    for (const auto &[monomial, coefficient] : b.terms)
      result.add(monomial, coefficient);
    return result;
  }
  friend Polynomial operator-(const Polynomial &a, const Polynomial &b) {
    return a + b * Polynomial(-1);
  }
  friend Polynomial operator*(const Polynomial &a, const Polynomial &b) {
    Polynomial result;
    for (const auto &[ma, ca] : a.terms)
      for (const auto &[mb, cb] : b.terms) {
        Monomial product;
        std::merge(ma.begin(), ma.end(), mb.begin(), mb.end(),
                   std::back_inserter(product));
        result.add(product, ca * cb);
      }
    return result;
  }
  friend bool operator==(const Polynomial &a, const Polynomial &b) {
    return a.terms == b.terms;
  }

  /// The quotient, if every coefficient is a multiple of `divisor`.
  std::optional<Polynomial> dividedBy(int64_t divisor) const {
    Polynomial result = *this;
    for (auto &[monomial, coefficient] : result.terms) {
      if (coefficient % divisor != 0)
        return std::nullopt;
      coefficient /= divisor;
    }
    return result;
  }
  bool mentions(unsigned symbol) const {
    return llvm::any_of(terms, [&](const auto &term) {
      return llvm::is_contained(term.first, symbol);
    });
  }

  /// The number that `other` times makes this polynomial, if there is one.
  std::optional<int64_t> asMultipleOf(const Polynomial &other) const {
    if (terms.empty() || other.terms.empty())
      return std::nullopt;
    int64_t number = terms.begin()->second, by = other.terms.begin()->second;
    if (number % by != 0 || !(other * Polynomial(number / by) == *this))
      return std::nullopt;
    return number / by;
  }

  /// This polynomial with `symbol` replaced by `value`.
  Polynomial substitute(unsigned symbol, const Polynomial &value) const {
    Polynomial result;
    for (const auto &[monomial, coefficient] : terms) {
      Polynomial term(coefficient);
      for (unsigned s : monomial)
        term = term * (s == symbol ? value : Polynomial::symbol(s));
      result = result + term;
    }
    return result;
  }

private:
  void add(const Monomial &monomial, int64_t coefficient) {
    auto [it, inserted] = terms.try_emplace(monomial, coefficient);
    if (!inserted && (it->second += coefficient) == 0)
      terms.erase(it);
  }

  std::map<Monomial, int64_t> terms;
};

} // namespace mlir::ds

#endif // PASSES_POLYNOMIAL_H
