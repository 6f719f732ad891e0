"""JAX's side of the benches: jitted, with Optax's Adam."""

from peer import COMPARED, LOSSES, Side, run


def make(arguments, reference):
    import jax
    import optax
    from jax_unet import Diffusion, from_pytorch, unet

    images = jax.numpy.asarray(reference.images.transpose(0, 2, 3, 1))
    noise = jax.numpy.asarray(reference.noise.transpose(0, 2, 3, 1))
    timesteps = jax.numpy.asarray(reference.timesteps)
    diffusion = Diffusion()
    middle = diffusion.timesteps // 2
    adam = optax.adam(1e-3)
    forward = jax.jit(unet)
    sampling = jax.jit(diffusion.step)

    # Weights and moments are updated where they are.
    @jax.jit(donate_argnums=(0, 1))
    def train(weights, moments, images, t, noise):
        loss, gradients = jax.value_and_grad(diffusion.loss)(weights, images, t, noise)
        updates, moments = adam.update(gradients, moments)
        return optax.apply_updates(weights, updates), moments, loss

    @jax.jit
    def random(key):
        key, of_t, of_noise = jax.random.split(key, 3)
        t = jax.random.randint(of_t, timesteps.shape, 0, diffusion.timesteps)
        return key, t, jax.random.normal(of_noise, images.shape)

    key, weights, moments = jax.random.key(0), None, None

    def start():
        nonlocal weights, moments
        weights = from_pytorch(reference.weights)
        moments = adam.init(weights) if arguments.workload == "train" else None

    start()

    def random_numbers():
        nonlocal key
        key, t, noise = random(key)
        return t, noise

    def trained(t, noise):
        nonlocal weights, moments
        weights, moments, loss = train(weights, moments, images, t, noise)
        return loss.item()

    def losses():
        start()
        return [trained(timesteps, noise) for _ in range(LOSSES)]

    steps = {
        "train": lambda: trained(*random_numbers()),
        "forward": lambda: forward(weights, images, timesteps).sum().item(),
        "sampling": lambda: sampling(weights, images, middle, random_numbers()[1]).sum().item(),
    }
    values = {
        "train": losses,
        "forward": lambda: forward(weights, images, timesteps)[:COMPARED],
        "sampling": lambda: sampling(weights, images, middle, noise)[:COMPARED],
    }
    return Side(f"JAX {jax.__version__}, jit", steps[arguments.workload], values[arguments.workload])


if __name__ == "__main__":
    run(make)
