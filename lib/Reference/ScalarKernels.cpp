//===- ScalarKernels.cpp - Scalar ops of the evaluator --------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arith and math. Float casts are the identity: the evaluator computes what an
// implementation without rounding would.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include "diffattn/Reference/Array.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Lane loops
//===----------------------------------------------------------------------===//

/// Kernels of a function on slots, by number of operands.
template <typename Fn>
static Kernel unary(const KernelRegisters &regs, Fn fn) {
  return [fn, a = regs.operands[0], r = regs.result](Frame &frame, int64_t n) {
    const Slot *x = frame.reg(a);
    Slot *out = frame.reg(r);
    for (int64_t i = 0; i < n; ++i)
      fn(out[i], x[i]);
  };
}

template <typename Fn>
static Kernel binary(const KernelRegisters &regs, Fn fn) {
  return [fn, a = regs.operands[0], b = regs.operands[1],
          r = regs.result](Frame &frame, int64_t n) {
    const Slot *x = frame.reg(a), *y = frame.reg(b);
    Slot *out = frame.reg(r);
    for (int64_t i = 0; i < n; ++i)
      fn(out[i], x[i], y[i]);
  };
}

template <typename Fn>
static Kernel ternary(const KernelRegisters &regs, Fn fn) {
  return [fn, a = regs.operands[0], b = regs.operands[1], c = regs.operands[2],
          r = regs.result](Frame &frame, int64_t n) {
    const Slot *x = frame.reg(a), *y = frame.reg(b), *z = frame.reg(c);
    Slot *out = frame.reg(r);
    for (int64_t i = 0; i < n; ++i)
      fn(out[i], x[i], y[i], z[i]);
  };
}

/// The same for functions on doubles.
template <typename Fn>
static Kernel floatUnary(const KernelRegisters &regs, Fn fn) {
  return unary(regs, [fn](Slot &out, Slot x) { out.f = fn(x.f); });
}

template <typename Fn>
static Kernel floatBinary(const KernelRegisters &regs, Fn fn) {
  return binary(regs,
                [fn](Slot &out, Slot x, Slot y) { out.f = fn(x.f, y.f); });
}

/// The same for integers; `fn` works modulo 2^64 and the result wraps.
template <typename Fn>
static Kernel intBinary(const KernelRegisters &regs, IntegerKind kind, Fn fn) {
  return binary(regs, [fn, kind](Slot &out, Slot x, Slot y) {
    out.i = kind.wrap(static_cast<int64_t>(
        fn(static_cast<uint64_t>(x.i), static_cast<uint64_t>(y.i))));
  });
}

template <typename Fn>
static Kernel signedBinary(const KernelRegisters &regs, IntegerKind kind,
                           Fn fn) {
  return binary(regs, [fn, kind](Slot &out, Slot x, Slot y) {
    out.i = kind.wrap(fn(kind.asSigned(x.i), kind.asSigned(y.i)));
  });
}

template <typename Fn>
static Kernel unsignedBinary(const KernelRegisters &regs, IntegerKind kind,
                             Fn fn) {
  return binary(regs, [fn, kind](Slot &out, Slot x, Slot y) {
    out.i = kind.wrap(
        static_cast<int64_t>(fn(kind.asUnsigned(x.i), kind.asUnsigned(y.i))));
  });
}

/// Division fails on the operands for which it is undefined.
template <typename T, typename Fn>
static Kernel division(Operation *op, const KernelRegisters &regs,
                       IntegerKind kind, Fn fn) {
  return [=, a = regs.operands[0], b = regs.operands[1],
          r = regs.result](Frame &frame, int64_t n) {
    const Slot *x = frame.reg(a), *y = frame.reg(b);
    Slot *out = frame.reg(r);
    for (int64_t i = 0; i < n; ++i) {
      T lhs, rhs;
      if constexpr (std::is_signed_v<T>) {
        lhs = kind.asSigned(x[i].i);
        rhs = kind.asSigned(y[i].i);
      } else {
        lhs = kind.asUnsigned(x[i].i);
        rhs = kind.asUnsigned(y[i].i);
      }
      if (rhs == 0)
        return frame.fail(op, "divides by zero");
      if (std::is_signed_v<T> && rhs == T(-1) &&
          lhs == std::numeric_limits<T>::min())
        return frame.fail(op, "overflows");
      out[i].i = kind.wrap(static_cast<int64_t>(fn(lhs, rhs)));
    }
  };
}

/// Shifts by the width or more are poison; fail rather than invent a value.
template <typename Fn>
static Kernel shift(Operation *op, const KernelRegisters &regs,
                    IntegerKind kind, Fn fn) {
  return [=, a = regs.operands[0], b = regs.operands[1],
          r = regs.result](Frame &frame, int64_t n) {
    const Slot *x = frame.reg(a), *y = frame.reg(b);
    Slot *out = frame.reg(r);
    for (int64_t i = 0; i < n; ++i) {
      uint64_t amount = kind.asUnsigned(y[i].i);
      if (amount >= kind.width)
        return frame.fail(op, "shifts by the width of the type or more");
      out[i].i = kind.wrap(fn(x[i].i, amount));
    }
  };
}

//===----------------------------------------------------------------------===//
// Comparisons, minimum and maximum
//===----------------------------------------------------------------------===//

static Kernel cmpf(arith::CmpFOp op, const KernelRegisters &regs) {
  using P = arith::CmpFPredicate;
  auto ordered = [&](auto fn, bool unorderedResult) {
    return binary(regs, [fn, unorderedResult](Slot &out, Slot x, Slot y) {
      bool isUnordered = std::isnan(x.f) || std::isnan(y.f);
      out.i = isUnordered ? unorderedResult : fn(x.f, y.f);
    });
  };
  auto never = [](double, double) { return false; };
  auto always = [](double, double) { return true; };
  P predicate = op.getPredicate();
  bool u = predicate >= P::UEQ;
  switch (predicate) {
  case P::AlwaysFalse:
    return ordered(never, false);
  case P::OEQ:
  case P::UEQ:
    return ordered(std::equal_to<double>(), u);
  case P::OGT:
  case P::UGT:
    return ordered(std::greater<double>(), u);
  case P::OGE:
  case P::UGE:
    return ordered(std::greater_equal<double>(), u);
  case P::OLT:
  case P::ULT:
    return ordered(std::less<double>(), u);
  case P::OLE:
  case P::ULE:
    return ordered(std::less_equal<double>(), u);
  case P::ONE:
  case P::UNE:
    return ordered(std::not_equal_to<double>(), u);
  case P::ORD:
    return ordered(always, false);
  case P::UNO:
    return ordered(never, true);
  case P::AlwaysTrue:
    return ordered(always, true);
  }
  return nullptr;
}

static Kernel cmpi(arith::CmpIOp op, const KernelRegisters &regs) {
  using P = arith::CmpIPredicate;
  IntegerKind kind(getElementTypeOrSelf(op.getLhs().getType()));
  auto onSigned = [&](auto fn) {
    return binary(regs, [fn, kind](Slot &out, Slot x, Slot y) {
      out.i = fn(kind.asSigned(x.i), kind.asSigned(y.i));
    });
  };
  auto onUnsigned = [&](auto fn) {
    return binary(regs, [fn, kind](Slot &out, Slot x, Slot y) {
      out.i = fn(kind.asUnsigned(x.i), kind.asUnsigned(y.i));
    });
  };
  switch (op.getPredicate()) {
  case P::eq:
    return onSigned(std::equal_to<int64_t>());
  case P::ne:
    return onSigned(std::not_equal_to<int64_t>());
  case P::slt:
    return onSigned(std::less<int64_t>());
  case P::sle:
    return onSigned(std::less_equal<int64_t>());
  case P::sgt:
    return onSigned(std::greater<int64_t>());
  case P::sge:
    return onSigned(std::greater_equal<int64_t>());
  case P::ult:
    return onUnsigned(std::less<uint64_t>());
  case P::ule:
    return onUnsigned(std::less_equal<uint64_t>());
  case P::ugt:
    return onUnsigned(std::greater<uint64_t>());
  case P::uge:
    return onUnsigned(std::greater_equal<uint64_t>());
  }
  return nullptr;
}

/// IEEE 754-2019 maximum: NaN wins, +0 is above -0.
static double maximum(double x, double y) {
  if (std::isnan(x) || std::isnan(y))
    return x + y;
  if (x == y)
    return std::signbit(x) ? y : x;
  return x > y ? x : y;
}

static double minimum(double x, double y) { return -maximum(-x, -y); }

//===----------------------------------------------------------------------===//
// Casts
//===----------------------------------------------------------------------===//

/// Float to integer; poison outside of the range of the result.
static Kernel floatToInt(Operation *op, const KernelRegisters &regs,
                         IntegerKind kind, bool isSigned) {
  return [=, a = regs.operands[0], r = regs.result](Frame &frame, int64_t n) {
    const Slot *x = frame.reg(a);
    Slot *out = frame.reg(r);
    double limit = std::ldexp(1.0, isSigned ? kind.width - 1 : kind.width);
    double least = isSigned ? -limit : 0;
    for (int64_t i = 0; i < n; ++i) {
      double whole = std::trunc(x[i].f);
      if (!(whole >= least && whole < limit))
        return frame.fail(op, "converts a value out of the result's range");
      out[i].i = kind.wrap(
          isSigned ? static_cast<int64_t>(whole)
                   : static_cast<int64_t>(static_cast<uint64_t>(whole)));
    }
  };
}

/// The bits of a float of `type`; null for a type without a small encoding.
static std::optional<int64_t> encodeFloat(double value, Type type) {
  if (type.isF16())
    return doubleToF16(value);
  if (type.isBF16())
    return doubleToBF16(value);
  if (type.isF32())
    return llvm::bit_cast<uint32_t>(static_cast<float>(value));
  if (type.isF64())
    return llvm::bit_cast<int64_t>(value);
  return std::nullopt;
}

static double decodeFloat(uint64_t bits, Type type) {
  if (type.isF16())
    return f16ToDouble(bits);
  if (type.isBF16())
    return bf16ToDouble(bits);
  if (type.isF32())
    return llvm::bit_cast<float>(static_cast<uint32_t>(bits));
  return llvm::bit_cast<double>(bits);
}

/// The one float op that shows an encoding, so the one that rounds.
static Kernel bitcastKernel(arith::BitcastOp op, const KernelRegisters &regs) {
  Type from = getElementTypeOrSelf(op.getIn().getType());
  Type to = getElementTypeOrSelf(op.getType());
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if ((fromFloat && !encodeFloat(0, from)) || (toFloat && !encodeFloat(0, to)))
    return nullptr;
  return unary(regs, [=](Slot &out, Slot x) {
    uint64_t bits =
        fromFloat ? *encodeFloat(x.f, from) : IntegerKind(from).asUnsigned(x.i);
    if (toFloat)
      out.f = decodeFloat(bits, to);
    else
      out.i = IntegerKind(to).wrap(bits);
  });
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

/// arith on floats.
static Kernel getArithFloatKernel(Operation *op, const KernelRegisters &regs) {
  using D = double;
  auto f1 = [&](auto fn) { return floatUnary(regs, fn); };
  auto f2 = [&](auto fn) { return floatBinary(regs, fn); };
  return llvm::TypeSwitch<Operation *, Kernel>(op)
      .Case([&](arith::AddFOp) { return f2([](D x, D y) { return x + y; }); })
      .Case([&](arith::SubFOp) { return f2([](D x, D y) { return x - y; }); })
      .Case([&](arith::MulFOp) { return f2([](D x, D y) { return x * y; }); })
      .Case([&](arith::DivFOp) { return f2([](D x, D y) { return x / y; }); })
      .Case([&](arith::RemFOp) {
        return f2([](D x, D y) { return std::fmod(x, y); });
      })
      .Case([&](arith::NegFOp) { return f1([](D x) { return -x; }); })
      .Case([&](arith::MaximumFOp) { return f2(maximum); })
      .Case([&](arith::MinimumFOp) { return f2(minimum); })
      .Case([&](arith::MaxNumFOp) {
        return f2([](D x, D y) { return std::fmax(x, y); });
      })
      .Case([&](arith::MinNumFOp) {
        return f2([](D x, D y) { return std::fmin(x, y); });
      })
      .Case<arith::ExtFOp, arith::TruncFOp>(
          [&](auto) { return f1([](D x) { return x; }); })
      .Default(nullptr);
}

/// Rounding, signs and roots.
static Kernel getAlgebraicKernel(Operation *op, const KernelRegisters &regs) {
  using D = double;
  auto f1 = [&](auto fn) { return floatUnary(regs, fn); };
  auto f2 = [&](auto fn) { return floatBinary(regs, fn); };
  return llvm::TypeSwitch<Operation *, Kernel>(op)
      .Case([&](math::AbsFOp) { return f1([](D x) { return std::fabs(x); }); })
      .Case([&](math::CeilOp) { return f1([](D x) { return std::ceil(x); }); })
      .Case(
          [&](math::FloorOp) { return f1([](D x) { return std::floor(x); }); })
      .Case(
          [&](math::TruncOp) { return f1([](D x) { return std::trunc(x); }); })
      .Case(
          [&](math::RoundOp) { return f1([](D x) { return std::round(x); }); })
      .Case([&](math::RoundEvenOp) {
        return f1([](D x) { return std::nearbyint(x); });
      })
      .Case([&](math::SqrtOp) { return f1([](D x) { return std::sqrt(x); }); })
      .Case([&](math::RsqrtOp) {
        return f1([](D x) { return 1 / std::sqrt(x); });
      })
      .Case([&](math::CbrtOp) { return f1([](D x) { return std::cbrt(x); }); })
      .Case([&](math::CopySignOp) {
        return f2([](D x, D y) { return std::copysign(x, y); });
      })
      .Case([&](math::FmaOp) {
        return ternary(regs, [](Slot &out, Slot x, Slot y, Slot z) {
          out.f = std::fma(x.f, y.f, z.f);
        });
      })
      .Default(nullptr);
}

/// Exponentials, logarithms and their like.
static Kernel getTranscendentalKernel(Operation *op,
                                      const KernelRegisters &regs) {
  using D = double;
  auto f1 = [&](auto fn) { return floatUnary(regs, fn); };
  auto f2 = [&](auto fn) { return floatBinary(regs, fn); };
  return llvm::TypeSwitch<Operation *, Kernel>(op)
      .Case([&](math::ExpOp) { return f1([](D x) { return std::exp(x); }); })
      .Case([&](math::Exp2Op) { return f1([](D x) { return std::exp2(x); }); })
      .Case(
          [&](math::ExpM1Op) { return f1([](D x) { return std::expm1(x); }); })
      .Case([&](math::LogOp) { return f1([](D x) { return std::log(x); }); })
      .Case([&](math::Log2Op) { return f1([](D x) { return std::log2(x); }); })
      .Case(
          [&](math::Log10Op) { return f1([](D x) { return std::log10(x); }); })
      .Case(
          [&](math::Log1pOp) { return f1([](D x) { return std::log1p(x); }); })
      .Case([&](math::SinOp) { return f1([](D x) { return std::sin(x); }); })
      .Case([&](math::CosOp) { return f1([](D x) { return std::cos(x); }); })
      .Case([&](math::TanOp) { return f1([](D x) { return std::tan(x); }); })
      .Case([&](math::AtanOp) { return f1([](D x) { return std::atan(x); }); })
      .Case([&](math::Atan2Op) {
        return f2([](D y, D x) { return std::atan2(y, x); });
      })
      .Case([&](math::SinhOp) { return f1([](D x) { return std::sinh(x); }); })
      .Case([&](math::CoshOp) { return f1([](D x) { return std::cosh(x); }); })
      .Case([&](math::TanhOp) { return f1([](D x) { return std::tanh(x); }); })
      .Case([&](math::ErfOp) { return f1([](D x) { return std::erf(x); }); })
      .Case([&](math::ErfcOp) { return f1([](D x) { return std::erfc(x); }); })
      .Case([&](math::PowFOp) {
        return f2([](D x, D y) { return std::pow(x, y); });
      })
      .Default(nullptr);
}

/// Ops on integers of one type.
static Kernel getIntegerKernel(Operation *op, const KernelRegisters &regs) {
  IntegerKind kind(getElementTypeOrSelf(op->getResult(0).getType()));
  using U = uint64_t;
  using S = int64_t;
  auto modular = [&](auto fn) { return intBinary(regs, kind, fn); };
  auto onSigned = [&](auto fn) { return signedBinary(regs, kind, fn); };
  auto onUnsigned = [&](auto fn) { return unsignedBinary(regs, kind, fn); };
  auto divS = [&](auto fn) { return division<S>(op, regs, kind, fn); };
  auto divU = [&](auto fn) { return division<U>(op, regs, kind, fn); };
  auto shifts = [&](auto fn) { return shift(op, regs, kind, fn); };
  return llvm::TypeSwitch<Operation *, Kernel>(op)
      .Case([&](arith::AddIOp) { return modular(std::plus<U>()); })
      .Case([&](arith::SubIOp) { return modular(std::minus<U>()); })
      .Case([&](arith::MulIOp) { return modular(std::multiplies<U>()); })
      .Case([&](arith::AndIOp) { return modular(std::bit_and<U>()); })
      .Case([&](arith::OrIOp) { return modular(std::bit_or<U>()); })
      .Case([&](arith::XOrIOp) { return modular(std::bit_xor<U>()); })
      .Case([&](arith::MaxSIOp) {
        return onSigned([](S x, S y) { return std::max(x, y); });
      })
      .Case([&](arith::MinSIOp) {
        return onSigned([](S x, S y) { return std::min(x, y); });
      })
      .Case([&](arith::MaxUIOp) {
        return onUnsigned([](U x, U y) { return std::max(x, y); });
      })
      .Case([&](arith::MinUIOp) {
        return onUnsigned([](U x, U y) { return std::min(x, y); });
      })
      .Case([&](arith::DivSIOp) { return divS(std::divides<S>()); })
      .Case([&](arith::DivUIOp) { return divU(std::divides<U>()); })
      .Case([&](arith::RemSIOp) { return divS(std::modulus<S>()); })
      .Case([&](arith::RemUIOp) { return divU(std::modulus<U>()); })
      .Case([&](arith::CeilDivSIOp) {
        return divS([](S x, S y) {
          return x / y + (x % y != 0 && (x < 0) == (y < 0));
        });
      })
      .Case([&](arith::CeilDivUIOp) {
        return divU([](U x, U y) { return x / y + (x % y != 0); });
      })
      .Case([&](arith::FloorDivSIOp) {
        return divS([](S x, S y) {
          return x / y - (x % y != 0 && (x < 0) != (y < 0));
        });
      })
      .Case([&](arith::ShLIOp) {
        return shifts([](S x, U n) { return static_cast<S>(U(x) << n); });
      })
      .Case([&](arith::ShRSIOp) {
        return shifts([kind](S x, U n) { return kind.asSigned(x) >> n; });
      })
      .Case([&](arith::ShRUIOp) {
        return shifts([kind](S x, U n) {
          return static_cast<S>(kind.asUnsigned(x) >> n);
        });
      })
      .Case([&](math::AbsIOp) {
        return unary(regs, [kind](Slot &out, Slot x) {
          out.i = kind.wrap(x.i < 0 ? S(0 - U(x.i)) : x.i);
        });
      })
      .Default(nullptr);
}

static Kernel getCastKernel(Operation *op, const KernelRegisters &regs) {
  // Only casts read these, and they have one operand and one result.
  Type from = getElementTypeOrSelf(op->getOperand(0).getType());
  Type to = getElementTypeOrSelf(op->getResult(0).getType());
  auto toInt = [&](auto convert) {
    IntegerKind fromKind(from), toKind(to);
    return unary(regs, [=](Slot &out, Slot x) {
      out.i = toKind.wrap(convert(fromKind, x.i));
    });
  };
  auto signExtended = [](IntegerKind kind, int64_t x) {
    return kind.asSigned(x);
  };
  auto zeroExtended = [](IntegerKind kind, int64_t x) {
    return static_cast<int64_t>(kind.asUnsigned(x));
  };
  return llvm::TypeSwitch<Operation *, Kernel>(op)
      .Case<arith::ExtSIOp, arith::IndexCastOp, arith::TruncIOp>(
          [&](auto) { return toInt(signExtended); })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp>(
          [&](auto) { return toInt(zeroExtended); })
      .Case([&](arith::SIToFPOp) {
        return unary(regs, [kind = IntegerKind(from)](Slot &out, Slot x) {
          out.f = static_cast<double>(kind.asSigned(x.i));
        });
      })
      .Case([&](arith::UIToFPOp) {
        return unary(regs, [kind = IntegerKind(from)](Slot &out, Slot x) {
          out.f = static_cast<double>(kind.asUnsigned(x.i));
        });
      })
      .Case([&](arith::FPToSIOp) {
        return floatToInt(op, regs, IntegerKind(to), /*isSigned=*/true);
      })
      .Case([&](arith::FPToUIOp) {
        return floatToInt(op, regs, IntegerKind(to), /*isSigned=*/false);
      })
      .Case([&](arith::BitcastOp cast) { return bitcastKernel(cast, regs); })
      .Case([&](math::FPowIOp pow) {
        IntegerKind kind(getElementTypeOrSelf(pow.getRhs().getType()));
        return binary(regs, [kind](Slot &out, Slot x, Slot y) {
          out.f = std::pow(x.f, static_cast<double>(kind.asSigned(y.i)));
        });
      })
      .Case([&](math::IsNaNOp) {
        return unary(regs, [](Slot &out, Slot x) { out.i = std::isnan(x.f); });
      })
      .Case([&](math::IsInfOp) {
        return unary(regs, [](Slot &out, Slot x) { out.i = std::isinf(x.f); });
      })
      .Case([&](math::IsFiniteOp) {
        return unary(regs,
                     [](Slot &out, Slot x) { out.i = std::isfinite(x.f); });
      })
      .Default(nullptr);
}

Kernel reference::getScalarKernel(Operation *op, const KernelRegisters &regs) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0)
    return nullptr;
  for (Value value : llvm::concat<Value>(op->getOperands(), op->getResults()))
    if (!isSupportedScalar(getElementTypeOrSelf(value.getType())))
      return nullptr;
  if (auto cmp = dyn_cast<arith::CmpFOp>(op))
    return cmpf(cmp, regs);
  if (auto cmp = dyn_cast<arith::CmpIOp>(op))
    return cmpi(cmp, regs);
  if (isa<arith::SelectOp>(op))
    return ternary(regs, [](Slot &out, Slot condition, Slot x, Slot y) {
      out = condition.i ? x : y;
    });
  if (Kernel kernel = getCastKernel(op, regs))
    return kernel;
  if (!isa<FloatType>(getElementTypeOrSelf(op->getResult(0))))
    return getIntegerKernel(op, regs);
  for (auto *table :
       {getArithFloatKernel, getAlgebraicKernel, getTranscendentalKernel})
    if (Kernel kernel = table(op, regs))
      return kernel;
  return nullptr;
}
