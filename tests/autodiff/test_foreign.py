"""Calls of NumPy's own functions on arrays that carry a derivative."""

from __future__ import annotations

import math

import numpy as np
import pytest
from references import scaled_error

import xnn
from xnn.autodiff import Derivative, derivative, grad, hvp, jvp, recording, vjp

V = np.array([0.3, 0.7, 1.2])
M = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.0]])
C = np.array([0.4, 0.9, 1.1])
CUBE = np.sin(np.arange(27.0) ** 2).reshape(3, 3, 3)

OF_VECTORS = """
    np.sin(x); np.sum(x); np.mean(x); np.dot(x,x); np.dot(c,x); np.matmul(M,x); np.einsum('i,i->',x,x);
    np.einsum('ij,j->i',M,x); np.where(x>0.5,x,0.); np.concatenate([x,c]); np.vstack([x,c]); np.hstack([x,c]);
    np.column_stack([x,c]); np.reshape(x,(3,1)); np.outer(x,c); np.diag(x); np.cumsum(x); np.cumprod(x); np.prod(x);
    np.std(x); np.var(x,ddof=1); np.linalg.norm(x); np.linalg.norm(x,1); np.linalg.norm(x,np.inf);
    np.zeros_like(x)*x; np.ones_like(x)+x; np.linspace(0,1,3)*x; np.maximum(x,0.5); np.minimum(0.5,x);
    np.clip(x,0.4,1.0); np.clip(x,a_min=0.4,a_max=None); np.stack([x,c]); np.stack([x,c],axis=1); np.append(x,c);
    np.tile(x,2); np.repeat(x,2); np.roll(x,1); np.flip(x); np.sort(x); np.diff(x); np.average(x);
    np.average(x,weights=c); np.ptp(x); np.cross(x,c); np.inner(x,c); np.vdot(x,c); np.kron(x,c);
    np.expand_dims(x,0); np.squeeze(x[None]); np.atleast_1d(x); np.atleast_2d(x); np.ravel(x); np.full_like(x,2.)*x;
    np.copy(x); np.square(x); np.sign(x)*x; np.abs(x); np.power(x,3); np.power(2.,x); np.exp2(x); np.cbrt(x);
    np.log1p(x); np.deg2rad(x); np.radians(x); np.degrees(x); np.sinc(x); np.arctan2(x,c); np.hypot(x,c);
    np.logaddexp(x,c); np.logaddexp2(x,c); np.real(x); np.fmax(x,c); np.fmin(x,c); np.float_power(x,2);
    np.reciprocal(x); np.positive(x); np.add.reduce(x); np.multiply.reduce(x); np.maximum.reduce(x);
    np.add.outer(x,c); np.multiply.outer(x,c); np.add.accumulate(x); np.multiply.accumulate(x);
    np.sum(x,where=x>0.5); np.max(x); np.min(x); np.amax(x); np.nansum(x); np.dstack([x,c]); np.split(x,3)[0];
    np.take(x,[0,1]); np.trapezoid(x); np.polyval([1.,2.,3.],x); np.float64(2.)*x; np.float64(2.)-x;
    np.float64(2.)/x; np.float64(2.)**x; c@x; c*x; c-x; c/x; c**x; M@x; x@M; x@c; np.count_nonzero(x)*x;
    np.argmax(x)*x; np.logspace(0,1,3)*x; np.meshgrid(x,c)[0]; np.broadcast_to(x,(2,3)); np.isclose(x,c)*x;
    np.allclose(x,x)*x; np.array_equal(x,x)*x; np.linalg.multi_dot([M,M,x]); np.triu(x); x.sum(); x.mean(axis=0);
    x.dot(c); x.std(); x.var(); x.cumsum(); x.clip(0.4,1.0); x.reshape(3,1); x.T; x.flatten(); x.squeeze();
    x.transpose(); x.max(); x.argmax()*x; x.astype(np.float64); x.round()*x; x.copy(); x.prod(); x.repeat(2);
    x.take([0,1]); x.ravel(); np.empty_like(x).shape[0]*x; np.shape(x)[0]*x; np.round(x)*x; np.floor(x)*x;
    np.around(x)*x; np.fix(x)*x; np.spacing(x)*x; np.hstack((x,1.0)); np.where(x>0.5)[0]; np.nonzero(x)[0]*1.0;
    np.histogram(x)[0]*1.0; np.cov(np.vstack([x,c])); np.tensordot(x,c,1); np.concat([x,c]); np.acos(x/2);
    np.pow(x,2); np.permute_dims(x,(0,)); np.matrix_transpose(x[None]); np.vecdot(x,c); np.cumulative_sum(x);
    np.unstack(x)[0]; np.astype(x,np.float64); np.linalg.vecdot(x,c); np.linalg.vector_norm(x); np.pad(x,1);
    np.fliplr(x[None]); np.flipud(x); np.swapaxes(x[None],0,1); np.moveaxis(x[None],0,1);
    np.take_along_axis(x,np.array([0]),0); np.searchsorted(c,x)*x; np.digitize(x,c)*x; np.cumsum(x[None],1);
    np.any(x>0)*x; np.all(x>0)*x;
"""
OF_SAMPLES = """
    np.array_split(x,2)[1]; np.convolve(x,c); np.convolve(x,[1.,2.,3.,4.,5.],'same'); np.convolve(c,x,'same');
    np.convolve(x,c[:2],mode='valid'); np.convolve(x[:2],c,'same'); np.correlate(x,c); np.correlate(x,c[:2],'full');
    np.delete(x,0); np.delete(x,[0,2]); np.gradient(x); np.gradient(x,0.1); np.gradient(x*x,x);
    np.gradient(np.outer(x,c))[1]; np.gradient(np.outer(x,x),axis=0); np.gradient(np.outer(x,x),0.5,C)[1];
    np.heaviside(x-0.8,0.5)*x; np.interp(x,[0,1,2],[0,1,4]); np.interp([0.1,0.35,2.0],c,x); np.interp(0.6,x,c);
    np.interp(x*0.8+0.1,c,x); np.median(x); np.median(np.outer(x,c),axis=1); np.median(np.outer(x,c[:2]));
    np.quantile(x,0.3); np.percentile(np.outer(x,c),20,axis=0); np.nan_to_num(x); np.nanmax(x); np.nanmin(x);
    np.nanmean(np.outer(x,c),axis=0); np.rot90(np.outer(x,c)); np.vander(x); np.rot90(np.outer(x,c[:2]),3);
    np.select([x>0.9,x>0.5],[x*x,2.*x],x); np.vander(x,4,increasing=True); np.atleast_3d(x);
    np.broadcast_arrays(x,np.outer(c,c))[0]; np.array([x[0],x[1]*x[2],1.],like=x); np.asarray([[x[0]],[2.]],like=x);
    np.dot([1.,2.,3.],x); np.dot(2,x); np.outer([1,2],x); np.cross([1,2,3],x); np.concatenate([[1.],x]); x@[1.,2.,3.];
    np.einsum('i,i',[1.,2.,3.],x); np.matmul([[1.,2.,3.]],x); [1.,2.,3.]@x; np.kron([1,2],x); np.inner(x,[1,2,3]);
    np.linalg.solve([[2.,0,0],[0,1,0],[0,0,1]],x); np.maximum([1,0,1],x); x*[1,2,3]; [1,2,3]-x; x[[0,2,0]];
    x.sum(None); np.linalg.svd(np.outer(x,c)+M,compute_uv=False); np.hstack([1.,x]); np.stack([x,[1,2,3]]);
    np.where(x>0.5,x,[1,2,3]); np.percentile(x,[25,75]); np.quantile(np.outer(x,c),(0.2,0.7),axis=1,method='linear');
    np.correlate(x[:2],c,'same'); np.correlate(x[:2],c,'full'); np.diff(x,prepend=0.); np.diff(x,append=[1.]);
    np.abs(np.interp(0.6,[0,1,2],x+1j*c)); np.inner(x[0],c);
    np.diff(np.outer(x,c),axis=0,prepend=x[0]); np.cumulative_sum(x,include_initial=True); np.full(3,x[0],like=x);
    np.full((2,2),3.,like=x)*x[0]; np.linspace(x[0],x[1]); np.angle(x+1j*c); np.angle(x+1j*c,deg=True);
    x[np.where(x>0.5)]; x[np.nonzero(x>0.5)]; x[np.ix_([0,2])]; x*[x[0],2.,x[1]]; [1.,x[1],2.]-x;
    x[x.argsort()]; x[x.nonzero()]; x.any()*x;
    np.sum(x,where=c>1.,initial=2.); x.sum(where=c>1.); x.sum(initial=2.); x.max(initial=.8);
    np.min(x,where=c>1.,initial=2.); np.prod(x,where=c>1.); np.prod(x,initial=2.); np.mean(x,where=c>1.);
    x.var(where=c>.6,ddof=1); np.std(x,where=c>.6); np.mean(x,dtype=float); x.std(dtype=float);
    np.nansum(np.where(c>.5,x,np.nan)); np.nanmean(np.where(c>.5,x,np.nan)); np.nanvar(np.where(c>.5,x,np.nan));
    np.nanstd(np.where(c>.5,x,np.nan)); np.nanprod(np.where(c>.5,x,np.nan)); np.nanmax(np.where(c>.5,x,np.nan));
    np.pad(x,1,mode='edge'); np.pad(x,(1,2),'reflect'); np.pad(x,2,'wrap'); np.pad(x,1,constant_values=(1.,2.));
    np.take(x,[4,-1],mode='wrap'); x.take([5,1],mode='clip'); x[range(2)]; x[[]]; x[True]; x[x[0]>0.]; x[0][x[0]<0.];
    np.compress([True,False,True],x); x.compress([False,True]); np.extract(c>1.,x); np.block([x,c]);
    np.block([[x[None]],[M]]); np.block([[x[0],c[:2]],[x]]); np.hsplit(x,3)[1]; np.divmod(x,.47)[1]; divmod(x,.47)[1];
    divmod(2.,x)[1]; x*round(x[0],1); np.bincount([0,2,2],weights=x); np.bincount([0,1,1],x,minlength=4);
    np.matvec(M,x); np.vecmat(x,M); np.cov(x,c); np.corrcoef(x,c); np.histogram(x,3,density=True)[0];
    np.histogram(c,np.sort(x),density=True)[0]; np.corrcoef(np.outer(x,c)+M);
    np.piecewise(x,[x<.5,x>1.],[lambda t:t**2,3.,np.sin]); np.piecewise(x,x<.5,[np.exp]); np.histogram(x,3)[1];
    np.gradient(x,[0,1,3]); np.linspace(x,1.,3,axis=1); np.fmod(-x,.47);
    np.einsum('...i->...',x); np.einsum(x,[0],M,[0,1],[1]); np.einsum(x,[0],x,[1]); np.einsum('i,i->i',x,c[:1]);
    np.diag(x[:0]); np.column_stack([x[0],c[1]]); np.tril(x); np.triu(x,1); np.cumulative_sum(x[0]); np.isreal(x)*x;
    x.conjugate(); np.fmax(x,[np.nan,0.,2.]); np.fmin([np.nan,0.,2.],x); np.zeros_like(x,shape=(2,3))+x;
"""
OF_MATRICES = """
    np.trace(x); np.diag(x); np.diagonal(x); np.linalg.inv(x); np.linalg.det(x); np.linalg.solve(x,c);
    np.linalg.slogdet(x)[1]; np.linalg.qr(x)[1]; np.linalg.svd(x)[1]; np.linalg.norm(x); np.linalg.norm(x,axis=1);
    np.linalg.norm(x,'fro'); np.linalg.norm(x,2); np.linalg.norm(x,1); np.linalg.norm(x,'nuc');
    np.linalg.matrix_power(x,2); np.linalg.pinv(x); np.linalg.matrix_rank(x)*x; np.transpose(x); x.T;
    np.matmul(x,x); np.dot(x,x); np.einsum('ij,jk->ik',x,x); np.einsum('ii',x); np.einsum('ij->ji',x);
    np.einsum('ij,ij->',x,x); np.einsum('bi,ij,bj->b',x,M,x); np.sum(x,axis=0); np.sum(x,1,keepdims=True);
    np.mean(x,axis=(0,1)); np.max(x,axis=1); np.tril(x); np.triu(x,1); np.kron(x,M); np.cumsum(x);
    np.cumsum(x,axis=0); np.concatenate([x,M],axis=1); np.vstack([x,M]); np.hstack([x,M]); np.sum(np.abs(x));
    np.tensordot(x,M); x@c; M@x; np.diagflat(x); np.std(x,axis=0,keepdims=True); np.prod(x,axis=0);
    np.argsort(x)[0]*x; np.sort(x,axis=0); np.flip(x,0); x[0]; x[:,1]; x[1:,::2]; x[np.array([0,1])]; x[:,None];
    x[...,0]; x[np.arange(3),np.arange(3)]; x.trace(); x.diagonal(); x.sum(axis=0); x.sum(0,keepdims=True);
    x.mean(1); x.swapaxes(0,1); x.dot(x); x.transpose(1,0); np.swapaxes(x,0,1); np.outer(x[0],x[1]);
    np.average(x,axis=0,weights=c); np.linalg.norm(x,axis=0,keepdims=True); np.einsum('ij->',x);
    np.einsum('ij->i',x); np.inner(x,x); np.repeat(x,2,axis=0); np.split(x,3,axis=0)[1]; np.cov(x);
    np.add.reduce(x,axis=None); np.ravel(x,order='F'); np.reshape(x,(1,9),order='F'); np.reshape(x,[9,1]);
    x.ravel('F'); x.flatten(order='F'); x.T.reshape(9,order='F'); np.fft.fft2(x).imag;
    np.fft.irfft2(np.fft.rfft2(x,s=(3,4))); np.fft.ifft2(x,norm='ortho').real; np.linalg.qr(x,mode='r');
    np.linalg.pinv(x,rcond=1e-10); np.linalg.tensordot(x,M,axes=1); np.linspace(x[0],1.,3);
    np.linspace(x[0],x,2,axis=0); np.einsum('...i->...',x); np.einsum('i...->...',x); np.einsum('...i,ij',x,M);
    np.einsum('...ij,...jk->...ik',x,x[None]); np.einsum('ij...,jk->ik...',x,M); np.einsum(x,[0,...],x,[1,...]);
    np.linalg.norm(x,2,axis=(0,1),keepdims=True); np.linalg.cond(x); np.linalg.cond(x,1); np.linalg.cond(x,-2);
    np.linalg.lstsq(x,c)[0]; np.linalg.lstsq(x[:,:2],M)[0]; np.linalg.lstsq(x[:,:2],c)[1];
    np.linalg.lstsq(x[:2],c[:2],rcond=.01)[3]; np.vsplit(x,3)[0]; x.compress([0,1],axis=1);
    np.linalg.cholesky(x @ x.T); np.linalg.eigvalsh(x + x.T); np.linalg.eigh(x + x.T)[0]; np.mod(x, 7.0);
"""
OF_CUBES = """
    np.trace(x); np.trace(x,1,1,2); np.diagonal(x); np.diagonal(x,1,0,2); x.trace(); x.diagonal(0,1,2);
    np.linalg.trace(x); np.linalg.diagonal(x); np.dot(x,x[0].T); np.inner(x,x); np.outer(x,c); np.cumsum(x);
    np.sort(x,axis=None); np.argsort(x,axis=None)[0]*x; np.sort(x,0,kind='stable'); np.concatenate((x,x*x),axis=None);
    np.take(x,[1,0],axis=1);
    np.take(x,[5,0]); np.take(x,[[1,0]],1); np.transpose(x); np.transpose(x,(1,0,2)); x.T;
    np.cross(x[...,:3],M[:,:3]); np.tensordot(x,x,2); np.tensordot(x,x,axes=([0,1],[0,1])); np.diff(x,n=2,axis=1);
    np.flip(x,(0,1)); np.roll(x,2); np.vstack([x,x]); np.dstack([x,x]); np.stack([x,x*x],-1);
    np.mean(x,axis=(1,2),keepdims=True); np.std(x,axis=(0,1)); np.linalg.norm(x); np.linalg.norm(x,axis=(0,1));
    np.linalg.norm(x,ord=1,axis=(1,2)); np.einsum('abc,abd->cd',x,x);
    np.average(x,axis=1,weights=c); np.tile(x,(2,1)); np.repeat(x,[1,2,1],axis=1); np.trapezoid(x,dx=.1,axis=0);
    np.squeeze(x[:1]); np.max(x,axis=(0,2)); np.kron(x,M); np.add.reduce(x,axis=1); np.multiply.reduce(x);
    x.reshape(-1,3); x.reshape([9,3],order='C'); x.ravel('C'); x[:,[0,2]]; x[[1]]; x.std(ddof=1);
    x.flatten(); x.mean(dtype=None); np.average(x,axis=(2,0),weights=M); np.roll(x,[1,2],axis=[0,1]);
    np.sum(x,axis=np.int64(1)); x.max(axis=np.int64(-1)); np.average(x,axis=np.int64(1),weights=c);
    np.tile(x,np.int64(2));
    x.reshape(np.array([9,3])); x.reshape(np.int64(27)); x.reshape(np.array([9,3]),order='F');
    np.reshape(x,np.array([3,9])); np.median(x,axis=np.int64(1)); np.reshape(x,np.int64(27));
    np.linalg.norm(x,axis=np.int64(0)); x.std(np.int64(1));
    np.linalg.norm(x,'nuc',(0,2),True); np.sum(x,axis=1,where=x>.5); np.mean(x,axis=(0,2),where=x>.3,keepdims=True);
    np.max(x,axis=0,initial=.5); np.dsplit(x,3)[1]; np.pad(x,((0,0),(1,0),(0,2)),'symmetric');
    np.take(x,[1,5],1,mode='wrap'); np.einsum('...i,i',x,c); np.einsum('...ij->...ji',x);
    np.einsum('abc,b->abc',x,c); np.block([[x],[x*x]]); np.matmul(x,c); np.fft.fft(x,axis=1).real;
    np.linalg.inv(x+9*np.eye(3)); np.linalg.det(x);
"""
REFUSED = """
    float(x[0]); np.apply_along_axis(np.sum,0,x); np.array([x[0],x[1]]); np.array(x);
    np.asarray(x); np.c_[x,c];
    np.ediff1d(x); np.frexp(x)[0]; np.full(3,x[0]);
    np.i0(x); np.insert(x,1,2.); np.ldexp(x,2);
    np.linalg.eig(x)[0]; np.logaddexp.reduce(x);
    np.logaddexp.reduce(x,axis=0); np.modf(x)[0];
    np.r_[x,c]; np.resize(x,5); np.rollaxis(x[None],1);
    np.trim_zeros(x); np.unique(x); np.unwrap(x);
    np.sin(x, out=c); np.sin(x, where=c > 0.5); np.sum(x, out=c);
    np.add.at(c, [0], x[:1]); np.add.at(x, slice(2), 1.0); np.fill_diagonal(np.eye(3), x);
    np.add.reduceat(x, [0, 1]); np.dot(x, c, c); np.exp.at(x, 0);
    np.histogram(c, weights=x)[0]; np.cov(x, aweights=c); np.average(x, returned=True)[0];
    np.quantile(x, 0.5, method="hazen");
    np.linalg.eigvalsh(x @ x.T, UPLO="U"); x.ravel("K"); np.frompyfunc(math.erf, 1, 1)(x);
    int(x[0]); bool(x[0]); complex(x[0]); x.item(0); x.tolist(); np.save("/dev/null", x);
    [1, 2, 3][x[0]]; np.put(x, 0, 1.0); np.copyto(x, c); np.copyto(c, x);
"""

WRONG = """
    np.prod(x,axis=7); np.prod(x,axis=(0,7)); np.diff(x,axis=7); np.unstack(x,axis=7); np.tensordot(x,x,axes=(7,7));
    np.average(x,axis=7); np.linalg.norm(x,axis=(0,7)); np.linalg.norm(x[0],ord=5); np.linalg.norm(x[0],ord='l2');
    np.linalg.matrix_power(x[0],2.5); np.einsum('abc,abd->e',x,x); np.einsum('abc->aa',x); np.einsum('ab,c',x,c);
    np.einsum('a...,b->ab',x,c); np.einsum('abc,c',x); np.take(x,[0],mode='bogus'); np.quantile(x,-.1);
    np.percentile(x,150);
    np.piecewise(x,[x>0],[1.,2.,3.]); np.pad(x,1,mode='bogus'); np.sum(x,dim=0); np.linalg.cond(x,'l2');
    np.mean(x,axis=3);
"""


def expressions(text):
    return [e.strip() for e in text.replace("\n", " ").split(";") if e.strip()]


def differences(f, x, v, h=1e-4):
    return (-f(x + 2 * h * v) + 8 * f(x + h * v) - 8 * f(x - h * v) + f(x - 2 * h * v)) / (12 * h)


@pytest.mark.parametrize(
    ("text", "x"),
    [(OF_VECTORS, V), (OF_MATRICES, M), (OF_CUBES, CUBE), (OF_SAMPLES, V)],
    ids=["vectors", "matrices", "cubes", "samples"],
)
def test_functions_of_numpy(rng, text, x):
    v = rng.normal(size=x.shape)
    for e in expressions(text):
        code = compile(e, e, "eval")

        def f(x, code=code):
            return eval(code, {"np": np, "x": x, "c": C, "C": C, "M": M})

        y, tangent = jvp(f, x, v)
        right, measured = f(x), differences(f, x, v)
        assert np.shape(y) == np.shape(right), e
        np.testing.assert_allclose(y, right, rtol=1e-12, atol=1e-15, err_msg=e)
        assert scaled_error(tangent, measured) < 1e-7, e
        g = rng.normal(size=np.shape(right))
        _, pull = vjp(f, x)
        assert np.sum(pull(g) * v) == pytest.approx(np.sum(g * tangent), rel=1e-10, abs=1e-12), e


@pytest.mark.parametrize("e", expressions(REFUSED))
def test_what_would_cut_a_derivative_is_refused(e):
    x = M if "linalg" in e or "vsplit" in e or "..." in e or "axis=0" in e else V
    with pytest.raises((Derivative, TypeError), match="derivative") as caught:
        grad(lambda x: np.sum(eval(e, {"np": np, "x": x, "c": C.copy(), "math": math})) + x[0])(x)
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize("e", expressions(WRONG))
def test_what_numpy_refuses_is_refused(e):
    def f(x):
        return np.sum(eval(e, {"np": np, "x": x, "c": C}))

    for refused in (f, grad(f)):
        with pytest.raises((ValueError, TypeError, IndexError, NotImplementedError)):
            refused(CUBE)


@pytest.mark.parametrize("e", ["np.vdot(x, d)", "np.vdot(d, x)", "np.vdot(x, x)", "np.cov(np.vstack([x, d]))"])
def test_functions_of_complex_numbers(rng, e):
    x, d, v = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))

    def f(x):
        return eval(e, {"np": np, "x": x, "d": d})

    y, tangent = jvp(f, x, v)
    np.testing.assert_allclose(y, f(x), rtol=1e-12)
    np.testing.assert_allclose(tangent, differences(f, x, v), rtol=1e-9, atol=1e-9)


def test_not_a_number_goes_where_numpy_has_it():
    for x in (np.array([1.0, np.nan, 2.0]), V):
        for f in (np.median, lambda x: np.max(np.fmax(x, 0.0)), lambda x: np.percentile(x, 30)):
            np.testing.assert_allclose(jvp(f, x, x)[0], f(x), rtol=1e-15)


def test_functions_that_write(backend):
    if backend.name == "array_api_strict":
        pytest.skip("the standard writes at no arrays of indices")

    def f(x):
        y = np.outer(x, x)
        np.fill_diagonal(y, x**2 + 1.0)
        np.add.at(y, [0, 2, 0], y[:, :1])
        np.add.at(y, 1, 0.5)
        z = np.where(x > 0.5, x, np.nan)
        np.nan_to_num(z, copy=False, nan=2.0)
        np.add.at(z, np.array([[-1, 0], [2, 2]]), x[0])
        np.fill_diagonal(y, 0.5)
        np.multiply(z, x, out=z)
        return np.sum(y * y) + np.sum(z**3)

    with backend.scope():  # JAX, whose own arrays nobody changes, among them
        x, v = backend.asarray(V, "float64"), backend.asarray(C, "float64")
        y, tangent, slope = map(backend.to_numpy, (*jvp(f, x, v), grad(f)(x)))
    assert y == pytest.approx(f(V), rel=1e-14)
    assert tangent == pytest.approx(differences(f, V, C), rel=1e-9)
    assert slope @ C == pytest.approx(tangent, rel=1e-13)


def test_functions_of_scipy_special():
    special = pytest.importorskip("scipy.special")
    x = np.array([-800.0, -45.0, -0.3, 0.4, 50.0])
    share = special.expit(x)
    np.testing.assert_allclose(derivative(special.expit)(x), share * special.expit(-x), rtol=1e-14)
    np.testing.assert_allclose(derivative(special.log_expit)(x), special.expit(-x), rtol=1e-14)
    np.testing.assert_allclose(jvp(special.logit, share[1:4], share[1:4])[1], 1 / (1 - share[1:4]), rtol=1e-14)
    np.testing.assert_allclose(vjp(special.xlogy, 0.0, 0.0)[1](1.0), (0.0, 0.0))
    for x in (0.0, 2.0):
        np.testing.assert_allclose(vjp(special.xlogy, x, 3.0)[1](1.0), (np.log(3.0), x / 3))


def test_calls_of_numpy_with_arrays_of_every_library(backend):
    """What only one of the libraries takes is not handed to the others."""
    x = backend.asarray(np.outer(V, C), "float64")

    def f(x):
        y = np.squeeze(x[None, :, :1]) * x[:, 1] + np.rint(x[:, 0])
        y = np.piecewise(y, [y < 0.3, y > 0.9], [np.sin, 2.0, lambda y: y * y])
        return np.sum(np.repeat(y, [1, 2, 0]) ** 2)

    if backend.name != "array_api_strict":  # no masks on this device
        found = backend.to_numpy(grad(f)(x))
        np.testing.assert_allclose(found, grad(f)(np.outer(V, C)), rtol=1e-13)


def test_what_is_called_like_another_function_is_refused():
    with pytest.raises(Derivative, match=r"scimath\.sqrt has no derivative"):
        grad(lambda x: np.abs(np.emath.sqrt(x)))(-2.0)


def test_the_remainder_of_a_division_goes_with_its_quotient():
    """5.3 is 52 times 0.1 and 0.09999999999999967, though 5.3/0.1 is rounded to 53."""
    for f, sign in ((np.remainder, 1.0), (np.fmod, 1.0), (lambda a, b: np.fmod(-a, b), -1.0)):
        y, pull = vjp(f, 5.3, 0.1)
        assert y == f(5.3, 0.1)
        assert pull(1.0) == (sign, -52.0 * sign)


def test_options_of_a_library_that_a_rule_does_not_know_are_refused():
    xp = recording(xnn.get_backend("numpy").xp)
    for f in (
        lambda x: xp.sum(x, where=C > 0.5), lambda x: xp.sum(x, initial=1.0), lambda x: xp.max(x, initial=1.0),
        lambda x: xp.sum(x, out=np.zeros(())), lambda x: xp.sum(xp.reshape(x, (3, 1), order="F")),
        lambda x: xp.mean(x, dtype=np.float64), lambda x: xp.sum(xp.concat([x, x], casting="no")),
    ):  # fmt: skip
        with pytest.raises(Derivative, match=r"with \w+= has no derivative here; leave such arguments out"):
            grad(f)(V)


def test_numpy_scalars_and_arrays_on_the_left():
    for f in (
        lambda x: np.float64(2.0) * x, lambda x: np.float32(2.0) + x, lambda x: np.float64(2.0) ** x,
        lambda x: C * x, lambda x: C @ x + x, lambda x: M @ x, lambda x: 2.0 / x, lambda x: C - x,
    ):  # fmt: skip
        _, tangent = jvp(f, V, C)
        assert scaled_error(tangent, differences(f, V, C)) < 1e-9


def test_a_plain_array_that_takes_in_a_traced_one_becomes_another():
    def into(x):
        total = np.zeros(3)
        np.add(total, x, out=total)  # does not
        return np.sum(total * x)

    with pytest.raises(Derivative, match=r"numpy.add with out= cannot write .* into a plain array"):
        grad(into)(V)

    def f(x):
        total = np.zeros(3)
        total += x  # binds total to a new array, as x carries a derivative
        total *= np.sin(x)
        return np.sum(total)

    np.testing.assert_allclose(grad(f)(V), np.sin(V) + V * np.cos(V), rtol=1e-14)


def test_functions_of_cupy(backend):
    if backend.name != "cupy":
        pytest.skip("functions of CuPy's own")
    import cupy

    x, c = backend.asarray(V, "float64"), backend.asarray(C, "float64")

    def of(xp, x, c):  # CuPy's elementwise functions, and those that call a method
        y = xp.where(x > 0.5, xp.sin(x) * xp.exp(c), xp.maximum(x, c)) + xp.sort(x * c) + xp.reshape(x, (3, 1))[:, 0]
        y = xp.mean(y * y) + xp.sum(x[:, None] * x, axis=0, keepdims=True) + xp.ravel(xp.clip(x, 0.4, 1.0)) * xp.max(x)
        return xp.std(y) + xp.dot(x, c) + xp.sum(xp.transpose(y) ** 2) + xp.prod(x) + xp.trace(y * x[:, None])

    first, second = grad(lambda x: of(cupy, x, c))(x), hvp(lambda x: of(cupy, x, c), x, x)
    np.testing.assert_allclose(backend.to_numpy(first), grad(lambda x: of(np, x, C))(V), rtol=1e-13)
    np.testing.assert_allclose(backend.to_numpy(second), hvp(lambda x: of(np, x, C), V, V), rtol=1e-13)
    by_numpy = grad(lambda x: of(np, x, c) + np.sum(np.concatenate([x, c]) ** 2))(
        x
    )  # NumPy's functions, of CuPy's arrays
    np.testing.assert_allclose(backend.to_numpy(by_numpy), backend.to_numpy(first) + 2 * V, rtol=1e-13)
    for f in (
        lambda x: cupy.concatenate([x, c]), lambda x: cupy.matmul(c, x), lambda x: cupy.cumsum(x), cupy.asarray,
        lambda x: cupy.stack([x, c]), lambda x: cupy.einsum("i,i", x, c), lambda x: cupy.expand_dims(x, 0),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"NumPy's function.*x\.__array_namespace__\(\)"):
            grad(f)(x)


def test_functions_of_pytorch_say_what_to_take():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"NumPy's function.*x\.__array_namespace__\(\)"):
        grad(lambda x: torch.sum(x))(torch.ones(2))


def test_lists_are_as_precise_as_the_array_beside_them(backend):
    x = backend.asarray([0.3, 0.7], "float64")
    for f in (lambda x: x * [0.1, 0.2], lambda x: [0.1, 0.2] * x, lambda x: np.dot(x, [0.1, 0.2])):
        _, pull = vjp(f, x)
        g = backend.asarray(1.0 if f(V[:2]).ndim == 0 else [1.0, 1.0], "float64")
        np.testing.assert_allclose(backend.to_numpy(pull(g)), [0.1, 0.2], rtol=1e-15)
