// The functions of cuBLAS that CuPy calls, as plain loops over column-major matrices.
//
// Half-precision formats are multiplied and summed in float, as cuBLAS does. Sums run in index order,
// so results agree with cuBLAS to rounding only.

#include "interface/cublas.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "state.h"

namespace {

constexpr int NOT_SUPPORTED_BY_CUBLAS = 15;

// cudaDataType
enum Type { FLOAT = 0, DOUBLE = 1, HALF = 2, BFLOAT16 = 14 };

int size_of(int type) { return type == FLOAT ? 4 : type == DOUBLE ? 8 : 2; }

float half_to_float(uint16_t bits) {
  _Float16 half;
  memcpy(&half, &bits, 2);
  return half;
}

uint16_t float_to_half(float value) {
  const _Float16 half = static_cast<_Float16>(value);
  uint16_t bits;
  memcpy(&bits, &half, 2);
  return bits;
}

float bfloat16_to_float(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

uint16_t float_to_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits += 0x7fff + ((bits >> 16) & 1);  // round to the nearest, ties to even
  return bits >> 16;
}

struct Factor {
  const void* data;
  int type;
  int ld;  // the distance of two columns
  bool transposed;
};

struct Result {
  void* data;
  int type;
  int ld;
};

// C = α op(A) op(B) + β C for an m×k matrix op(A) and a k×n matrix op(B).
template <class T>
__attribute__((optimize("O3"))) void multiply(int m, int n, int k, double alpha, Factor A, Factor B, double beta,
                                              Result C) {
  const T* a = static_cast<const T*>(A.data);
  const T* b = static_cast<const T*>(B.data);
  T* c = static_cast<T*>(C.data);
  size_t a_column = A.ld;
  std::vector<T> packed;  // op(A) with its columns contiguous, so that the innermost loop is a vector operation
  if (A.transposed) {
    packed.resize(size_t(m) * k);
    for (int i = 0; i < m; i++)
      for (int p = 0; p < k; p++) packed[size_t(p) * m + i] = a[size_t(i) * A.ld + p];
    a = packed.data();
    a_column = m;
  }
  std::vector<T> sums(m);
  for (int j = 0; j < n; j++) {
    std::fill(sums.begin(), sums.end(), T(0));
    for (int p = 0; p < k; p++) {
      const T factor = B.transposed ? b[size_t(p) * B.ld + j] : b[size_t(j) * B.ld + p];
      const T* column = a + size_t(p) * a_column;
      T* sum = sums.data();
      for (int i = 0; i < m; i++) sum[i] += column[i] * factor;
    }
    T* out = c + size_t(j) * C.ld;
    // With β = 0 the old content of C must not be read: it may be NaN.
    for (int i = 0; i < m; i++) out[i] = T(alpha * sums[i] + (beta != 0 ? beta * out[i] : 0));
  }
}

void multiply_halves(int m, int n, int k, double alpha, Factor A, Factor B, double beta, Result C) {
  const bool half = C.type == HALF;
  const auto load = [=](const void* data, size_t i) {
    const uint16_t bits = static_cast<const uint16_t*>(data)[i];
    return half ? half_to_float(bits) : bfloat16_to_float(bits);
  };
  for (int j = 0; j < n; j++)
    for (int i = 0; i < m; i++) {
      float sum = 0;
      for (int p = 0; p < k; p++) {
        sum += load(A.data, A.transposed ? size_t(i) * A.ld + p : size_t(p) * A.ld + i) *
               load(B.data, B.transposed ? size_t(p) * B.ld + j : size_t(j) * B.ld + p);
      }
      const size_t at = size_t(j) * C.ld + i;
      const float value = alpha * sum + (beta != 0 ? beta * load(C.data, at) : 0);
      static_cast<uint16_t*>(C.data)[at] = half ? float_to_half(value) : float_to_bfloat16(value);
    }
}

int multiply_any(int m, int n, int k, double alpha, Factor A, Factor B, double beta, Result C) {
  cudacpu_counters[MATRIX_PRODUCTS]++;
  if (A.type != B.type || A.type != C.type) return NOT_SUPPORTED_BY_CUBLAS;
  if (!settings.execute) return SUCCESS;
  switch (A.type) {
    case FLOAT: multiply<float>(m, n, k, alpha, A, B, beta, C); return SUCCESS;
    case DOUBLE: multiply<double>(m, n, k, alpha, A, B, beta, C); return SUCCESS;
    case HALF:
    case BFLOAT16: multiply_halves(m, n, k, alpha, A, B, beta, C); return SUCCESS;
    default: return NOT_SUPPORTED_BY_CUBLAS;
  }
}

// α and β are floats or doubles, as the type of the computation says.
double coefficient(const void* value, bool is_double) {
  return is_double ? *static_cast<const double*>(value) : *static_cast<const float*>(value);
}

// The number of the computation in double precision: that of a cudaDataType before CUDA 11, then a number of its own.
bool computes_in_double(int compute) { return compute == DOUBLE; }
bool computes_in_double_v11(int compute) { return compute == 70 || compute == 71; }

template <class T>
int multiply_batch(int ta, int tb, int m, int n, int k, const T* alpha, const T** A, int lda, const T** B, int ldb,
                   const T* beta, T** C, int ldc, int count) {
  const int type = sizeof(T) == sizeof(double) ? DOUBLE : FLOAT;
  const uint64_t before = cudacpu_counters[MATRIX_PRODUCTS];
  for (int i = 0; i < count; i++) {
    multiply_any(m, n, k, *alpha, {A[i], type, lda, ta != 0}, {B[i], type, ldb, tb != 0}, *beta, {C[i], type, ldc});
  }
  cudacpu_counters[MATRIX_PRODUCTS] = before + 1;  // a batch is one call
  return SUCCESS;
}

int multiply_strided(int m, int n, int k, double alpha, Factor A, long long a_stride, Factor B, long long b_stride,
                     double beta, Result C, long long c_stride, int count) {
  const uint64_t before = cudacpu_counters[MATRIX_PRODUCTS];
  int status = SUCCESS;
  for (int i = 0; i < count && status == SUCCESS; i++) {
    status = multiply_any(m, n, k, alpha, A, B, beta, C);
    A.data = static_cast<const char*>(A.data) + a_stride * size_of(A.type);
    B.data = static_cast<const char*>(B.data) + b_stride * size_of(B.type);
    C.data = static_cast<char*>(C.data) + c_stride * size_of(C.type);
  }
  cudacpu_counters[MATRIX_PRODUCTS] = before + 1;
  return status;
}

// r = x·y
template <class T>
int dot(int n, const T* x, int x_step, const T* y, int y_step, T* r) {
  T sum = 0;
  for (int i = 0; i < n; i++) sum += x[long(i) * x_step] * y[long(i) * y_step];
  *r = sum;
  cudacpu_counters[OTHER_BLAS_CALLS]++;
  return SUCCESS;
}

// y = α op(A) x + β y for an m×n matrix A
template <class T>
int multiply_vector(int transposed, int m, int n, const T* alpha, const T* A, int lda, const T* x, int x_step,
                    const T* beta, T* y, int y_step) {
  const int outputs = transposed ? n : m, inputs = transposed ? m : n;
  for (int i = 0; i < outputs; i++) {
    T sum = 0;
    for (int j = 0; j < inputs; j++) {
      sum += (transposed ? A[size_t(i) * lda + j] : A[size_t(j) * lda + i]) * x[long(j) * x_step];
    }
    T& out = y[long(i) * y_step];
    out = *alpha * sum + (*beta != 0 ? *beta * out : 0);
  }
  cudacpu_counters[OTHER_BLAS_CALLS]++;
  return SUCCESS;
}

// C = α op(A) + β op(B)
template <class T>
int add_matrices(int ta, int tb, int m, int n, const T* alpha, const T* A, int lda, const T* beta, const T* B, int ldb,
                 T* C, int ldc) {
  cudacpu_counters[OTHER_BLAS_CALLS]++;
  for (int j = 0; j < n; j++)
    for (int i = 0; i < m; i++) {
      const T a = *alpha != 0 ? *alpha * A[ta ? size_t(i) * lda + j : size_t(j) * lda + i] : 0;
      const T b = *beta != 0 ? *beta * B[tb ? size_t(i) * ldb + j : size_t(j) * ldb + i] : 0;
      C[size_t(j) * ldc + i] = a + b;
    }
  return SUCCESS;
}

int pointer_mode = 0, math_mode = 0;
void* current_stream = nullptr;

}  // namespace

// ----------------------------------------------------------------------------------------- handles

API int cublasCreate(void* handle) {
  *static_cast<void**>(handle) = reinterpret_cast<void*>(0x20);
  return SUCCESS;
}

API int cublasDestroy(void*) { return SUCCESS; }

API int cublasGetVersion(void*, int* version) {
  *version = 130000;
  return SUCCESS;
}

API int cublasGetPointerMode(void*, void* mode) {
  *static_cast<int*>(mode) = pointer_mode;
  return SUCCESS;
}

API int cublasSetPointerMode(void*, int mode) {
  pointer_mode = mode;
  return SUCCESS;
}

API int cublasGetStream(void*, void* stream) {
  *static_cast<void**>(stream) = current_stream;
  return SUCCESS;
}

API int cublasSetStream(void*, void* stream) {
  current_stream = stream;
  return SUCCESS;
}

API int cublasGetMathMode(void*, void* mode) {
  *static_cast<int*>(mode) = math_mode;
  return SUCCESS;
}

API int cublasSetMathMode(void*, int mode) {
  math_mode = mode;
  return SUCCESS;
}

// --------------------------------------------------------------------------------- matrix products

API int cublasSgemm(void*, int ta, int tb, int m, int n, int k, const float* alpha, const float* A, int lda,
                    const float* B, int ldb, const float* beta, float* C, int ldc) {
  return multiply_any(m, n, k, *alpha, {A, FLOAT, lda, ta != 0}, {B, FLOAT, ldb, tb != 0}, *beta, {C, FLOAT, ldc});
}

API int cublasDgemm(void*, int ta, int tb, int m, int n, int k, const double* alpha, const double* A, int lda,
                    const double* B, int ldb, const double* beta, double* C, int ldc) {
  return multiply_any(m, n, k, *alpha, {A, DOUBLE, lda, ta != 0}, {B, DOUBLE, ldb, tb != 0}, *beta, {C, DOUBLE, ldc});
}

API int cublasSgemmEx(void*, int ta, int tb, int m, int n, int k, const float* alpha, const void* A, int a_type,
                      int lda, const void* B, int b_type, int ldb, const float* beta, void* C, int c_type, int ldc) {
  return multiply_any(m, n, k, *alpha, {A, a_type, lda, ta != 0}, {B, b_type, ldb, tb != 0}, *beta, {C, c_type, ldc});
}

static int gemm_ex(int ta, int tb, int m, int n, int k, const void* alpha, const void* A, int a_type, int lda,
                   const void* B, int b_type, int ldb, const void* beta, void* C, int c_type, int ldc, bool in_double) {
  return multiply_any(m, n, k, coefficient(alpha, in_double), {A, a_type, lda, ta != 0}, {B, b_type, ldb, tb != 0},
                      coefficient(beta, in_double), {C, c_type, ldc});
}

API int cublasGemmEx(void*, int ta, int tb, int m, int n, int k, const void* alpha, const void* A, int a_type, int lda,
                     const void* B, int b_type, int ldb, const void* beta, void* C, int c_type, int ldc, int compute,
                     int) {
  return gemm_ex(ta, tb, m, n, k, alpha, A, a_type, lda, B, b_type, ldb, beta, C, c_type, ldc,
                 computes_in_double(compute));
}

API int cublasGemmEx_v11(void*, int ta, int tb, int m, int n, int k, const void* alpha, const void* A, int a_type,
                         int lda, const void* B, int b_type, int ldb, const void* beta, void* C, int c_type, int ldc,
                         int compute, int) {
  return gemm_ex(ta, tb, m, n, k, alpha, A, a_type, lda, B, b_type, ldb, beta, C, c_type, ldc,
                 computes_in_double_v11(compute));
}

API int cublasSgemmBatched(void*, int ta, int tb, int m, int n, int k, const float* alpha, const float** A, int lda,
                           const float** B, int ldb, const float* beta, float** C, int ldc, int count) {
  return multiply_batch(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc, count);
}

API int cublasDgemmBatched(void*, int ta, int tb, int m, int n, int k, const double* alpha, const double** A, int lda,
                           const double** B, int ldb, const double* beta, double** C, int ldc, int count) {
  return multiply_batch(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc, count);
}

static int gemm_strided(int ta, int tb, int m, int n, int k, const void* alpha, const void* A, int a_type, int lda,
                        long long a_stride, const void* B, int b_type, int ldb, long long b_stride, const void* beta,
                        void* C, int c_type, int ldc, long long c_stride, int count, bool in_double) {
  return multiply_strided(m, n, k, coefficient(alpha, in_double), {A, a_type, lda, ta != 0}, a_stride,
                          {B, b_type, ldb, tb != 0}, b_stride, coefficient(beta, in_double), {C, c_type, ldc}, c_stride,
                          count);
}

API int cublasGemmStridedBatchedEx(void*, int ta, int tb, int m, int n, int k, const void* alpha, const void* A,
                                   int a_type, int lda, long long a_stride, const void* B, int b_type, int ldb,
                                   long long b_stride, const void* beta, void* C, int c_type, int ldc,
                                   long long c_stride, int count, int compute, int) {
  return gemm_strided(ta, tb, m, n, k, alpha, A, a_type, lda, a_stride, B, b_type, ldb, b_stride, beta, C, c_type, ldc,
                      c_stride, count, computes_in_double(compute));
}

API int cublasGemmStridedBatchedEx_v11(void*, int ta, int tb, int m, int n, int k, const void* alpha, const void* A,
                                       int a_type, int lda, long long a_stride, const void* B, int b_type, int ldb,
                                       long long b_stride, const void* beta, void* C, int c_type, int ldc,
                                       long long c_stride, int count, int compute, int) {
  return gemm_strided(ta, tb, m, n, k, alpha, A, a_type, lda, a_stride, B, b_type, ldb, b_stride, beta, C, c_type, ldc,
                      c_stride, count, computes_in_double_v11(compute));
}

// ------------------------------------------------------------------ vectors, and sums of matrices

API int cublasSdot(void*, int n, const float* x, int x_step, const float* y, int y_step, float* r) {
  return dot(n, x, x_step, y, y_step, r);
}

API int cublasDdot(void*, int n, const double* x, int x_step, const double* y, int y_step, double* r) {
  return dot(n, x, x_step, y, y_step, r);
}

API int cublasSgemv(void*, int ta, int m, int n, const float* alpha, const float* A, int lda, const float* x,
                    int x_step, const float* beta, float* y, int y_step) {
  return multiply_vector(ta, m, n, alpha, A, lda, x, x_step, beta, y, y_step);
}

API int cublasDgemv(void*, int ta, int m, int n, const double* alpha, const double* A, int lda, const double* x,
                    int x_step, const double* beta, double* y, int y_step) {
  return multiply_vector(ta, m, n, alpha, A, lda, x, x_step, beta, y, y_step);
}

API int cublasSgeam(void*, int ta, int tb, int m, int n, const float* alpha, const float* A, int lda, const float* beta,
                    const float* B, int ldb, float* C, int ldc) {
  return add_matrices(ta, tb, m, n, alpha, A, lda, beta, B, ldb, C, ldc);
}

API int cublasDgeam(void*, int ta, int tb, int m, int n, const double* alpha, const double* A, int lda,
                    const double* beta, const double* B, int ldb, double* C, int ldc) {
  return add_matrices(ta, tb, m, n, alpha, A, lda, beta, B, ldb, C, ldc);
}
