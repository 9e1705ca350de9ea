"""How much work each lesson does at each budget; ``runtime.budget`` hands a row of it to the lesson."""

# Every number that depends on the budget. Image size never does.
BUDGETS = {
    "00": {
        "smoke": {"images": 5_000, "epochs": 8},
        "laptop": {"images": 20_000, "epochs": 2},
        "full": {"images": 60_000, "epochs": 10},
    },
    "01": {
        "smoke": {
            "images": 4_000,
            "dense_images": 2_560,
            "dense_epochs": 20,
            "linear_epochs": 400,
            "conv_images": 1_536,
            "conv_epochs": 3,
            "spiral_steps": 6_000,
        },
        "laptop": {
            "images": 20_000,
            "dense_images": 10_240,
            "dense_epochs": 20,
            "linear_epochs": 400,
            "conv_images": 4_096,
            "conv_epochs": 2,
            "spiral_steps": 6_000,
        },
        "full": {
            "images": 60_000,
            "dense_images": 60_000,
            "dense_epochs": 20,
            "linear_epochs": 400,
            "conv_images": 60_000,
            "conv_epochs": 20,
            "spiral_steps": 6_000,
        },
    },
    "02": {
        "smoke": {"draws": 20_000, "repeats": 100, "steps": 500, "frames": 6},
        "laptop": {"draws": 200_000, "repeats": 400, "steps": 800, "frames": 30},
        "full": {"draws": 1_000_000, "repeats": 1_000, "steps": 1_200, "frames": 40},
    },
    "03": {
        "smoke": {"draws": 100_000, "noise_numbers": 1 << 20, "vae_steps": 1_000},
        "laptop": {"draws": 400_000, "noise_numbers": 1 << 23, "vae_steps": 2_000},
        "full": {"draws": 1_000_000, "noise_numbers": 1 << 24, "vae_steps": 4_000},
    },
    "04": {
        "smoke": {"images": 12_800, "epochs": 4, "points": 10_240, "fit_epochs": 30},
        "laptop": {"images": 60_000, "epochs": 4, "points": 20_480, "fit_epochs": 40},
        "full": {"images": 60_000, "epochs": 20, "points": 51_200, "fit_epochs": 60},
    },
    "05": {
        "smoke": {"images": 12_800, "epochs": 4, "batchnorm_epochs": 3, "dense_epochs": 5},
        "laptop": {"images": 60_000, "epochs": 4, "batchnorm_epochs": 1, "dense_epochs": 3},
        "full": {"images": 60_000, "epochs": 10, "batchnorm_epochs": 30, "dense_epochs": 10},
    },
    "06": {
        "smoke": {
            "images": 900,
            "download_thousands": 0,
            "batch": 16,
            "calibrated_epochs": 10,
            "published_epochs": 2,
            "autoencoder_epochs": 3,
            "snapshot_every": 25,
            "draws": 100,
            "probe_images": 800,
        },
        "laptop": {
            "images": 2_000,
            "download_thousands": 0,
            "batch": 32,
            "calibrated_epochs": 12,
            "published_epochs": 6,
            "autoencoder_epochs": 4,
            "snapshot_every": 25,
            "draws": 400,
            "probe_images": 1_800,
        },
        "full": {
            "images": 10_000,
            "download_thousands": 10,
            "batch": 128,
            "calibrated_epochs": 60,
            "published_epochs": 20,
            "autoencoder_epochs": 20,
            "snapshot_every": 25,
            "draws": 400,
            "probe_images": 5_000,
        },
    },
    "A1": {
        "smoke": {"draws": 100_000, "steps": 300},
        "laptop": {"draws": 400_000, "steps": 600},
        "full": {"draws": 1_000_000, "steps": 800},
    },
}
