"""Experiment files that use every section; several test files start from them."""

from engine.contract.optimizer import OPTIMIZERS
from engine.contract.scheduler import SCHEDULERS

CHAIN = """\
[[scheduler]]
name = "LinearLR"
start_factor = 0.1
total_iters = 5
end = 5

[[scheduler]]
name = "MultiStepLR"
milestones = [15, 20]
gamma = 0.1
"""

FULL = (
    """\
# Everything at once.
name = "ants-vs-bees"
seed = 42

[data]
dataset = "ImageFolder"
root = "../data/ants_bees"
train = "train"
val = 0.2
batch_size = 32
workers = 2
image_size = 224
augment = [                      # training images only
  { name = "RandomHorizontalFlip" },
  { name = "RandomResizedCrop", size = 224, scale = [0.5, 1.0] },
]

[model]
backbone = "resnet18"
weights = "IMAGENET1K_V1"
weights_dir = "./model"
freeze = ["*", "!layer4"]
outputs = 2

[loss]
name = "CrossEntropyLoss"
weight = [1.0, 2.5]
reduction = "mean"
ignore_index = -100
label_smoothing = 0.1

[optimizer]
name = "SGD"
lr = 1e-3
momentum = 0.9

[[optimizer.group]]
name = "head"
match = ["fc"]
lr = 1e-2

[[optimizer.group]]
name = "norm"
match = ["*bn*", "layer1.0"]
weight_decay = 0.0

"""
    + CHAIN
    + """
[train]
epochs = 25
device = "auto"
precision = "fp32"
accumulate = 2
clip_norm = 1.0

[checkpoint]
monitor = "val/loss"
mode = "min"
every = 1
every_steps = 500
keep = 3
"""
)

OTHER_WAYS = """\
model.backbone = "vit_b_16"
model."freeze" = ['''encoder''', "!heads"]
train = { epochs = 3, device = "cuda:1", precision = "bf16" }
loss = { weight = "balanced", reduction = "sum" }
scheduler = [
  { name = "LambdaLR", lr_lambda = ["0.95 ** epoch", "1.0"], interval = "step" },  # chain
  { name = "ReduceLROnPlateau", monitor = "val/accuracy", mode = "max", patience = 2 },
  { target = "schedules.py:adjust_learning_rate", begin = 2 },
]

[data]
dataset = "CIFAR10"
root = 'C:/data'
args = { download = true }

[[data.augment]]
name = "ColorJitter"
brightness = 0.1

[optimizer]
name = "AdamW"
betas = [0.9, 0.98]
eps = 1E-6
amsgrad = true

[[optimizer.group]]
name = "head"
match = ["heads"]
betas = [
  0.8,
  0.9,  # two
]
"""

CYCLE = """\
seed = 0x2A

[data]
target = "mydata.py:build"

[data.args]
classes = 1_0
since = 2020-01-01
note = \"\"\"
two lines
with "quotes"\"\"\"

[model]
backbone = "convnext_tiny"
weights = "start.pth"

[optimizer]
name = "LBFGS"
line_search_fn = "strong_wolfe"

[[scheduler]]
name = "OneCycleLR"
max_lr = [0.1, 0.2]

[train]
epochs = 2
"""

SHORT = """\
[data]
[model]
backbone = "squeezenet1_1"
[train]
epochs = 1
"""

GOOD = {"full": FULL, "other ways": OTHER_WAYS, "cycle": CYCLE, "short": SHORT}

# What each scheduler must be given.
NEEDED = {
    "LambdaLR": 'lr_lambda = "0.95 ** epoch"',
    "MultiplicativeLR": 'lr_lambda = "0.95"',
    "StepLR": "step_size = 7",
    "MultiStepLR": "milestones = [3, 5]",
    "ExponentialLR": "gamma = 0.9",
    "CosineAnnealingLR": "T_max = 20",
    "CosineAnnealingWarmRestarts": "T_0 = 5",
    "CyclicLR": "base_lr = 0.001\nmax_lr = 0.1",
}
EACH = {
    **{name: f'{SHORT}[optimizer]\nname = "{name}"\n' for name in OPTIMIZERS},
    **{
        name: f'{SHORT}[[scheduler]]\nname = "{name}"\n{NEEDED.get(name, "")}\n'
        for name in SCHEDULERS
    },
}
